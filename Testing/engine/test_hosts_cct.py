from host_checks import HostChecks


class TestCCT(HostChecks):
    name = "cct"
