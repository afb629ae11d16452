"""Pictures of predicted cases for reports: real MRML and views, drawn without a window."""
