from host_checks import HostChecks


class TestRDrop(HostChecks):
    name = "rdrop"
