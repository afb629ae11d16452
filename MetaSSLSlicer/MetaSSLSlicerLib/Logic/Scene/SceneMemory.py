"""What a saved scene remembers of us: the project's folder and the open case, in one parameter node."""

from __future__ import annotations

from pathlib import Path

MODULE = "MetaSSLSlicer"
_PROJECT, _CASE = "projectPath", "case"


class SceneMemory:
    """Reads and writes the scene's parameter node; it is made when there is something to remember."""

    def __init__(self, scene) -> None:
        self._scene = scene

    def remember(self, project: Path | None, caseId: str | None) -> None:
        """Write what is open now; with nothing to remember there is no node."""
        node = self._node()
        if project is None:
            if node is not None:
                self._scene.RemoveNode(node)
            return
        node = node or self._makeNode()
        node.SetParameter(_PROJECT, str(project or ""))
        node.SetParameter(_CASE, caseId or "")

    def recall(self) -> tuple[Path | None, str | None]:
        """The project's folder and the case that the scene names, or None."""
        node = self._node()
        if node is None:
            return None, None
        project, case = node.GetParameter(_PROJECT), node.GetParameter(_CASE)
        return Path(project) if project else None, case or None

    def _node(self):
        return self._scene.GetSingletonNode(MODULE, "vtkMRMLScriptedModuleNode")

    def _makeNode(self):
        node = self._scene.CreateNodeByClass("vtkMRMLScriptedModuleNode")
        node.UnRegister(None)
        node.SetSingletonTag(MODULE)
        node.SetModuleName(MODULE)
        node.SetName(MODULE)
        return self._scene.AddNode(node)
