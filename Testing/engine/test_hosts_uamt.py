from host_checks import HostChecks


class TestUAMT(HostChecks):
    name = "uamt"
