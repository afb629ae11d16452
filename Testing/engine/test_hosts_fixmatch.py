from host_checks import HostChecks


class TestFixMatch(HostChecks):
    name = "fixmatch"
