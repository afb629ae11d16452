from host_checks import HostChecks


class TestCrossPseudoSupervision(HostChecks):
    name = "cps"
