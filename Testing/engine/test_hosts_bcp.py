from host_checks import HostChecks


class TestBCP(HostChecks):
    name = "bcp"
