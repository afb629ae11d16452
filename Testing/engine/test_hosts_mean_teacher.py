from host_checks import HostChecks


class TestMeanTeacher(HostChecks):
    name = "mt"
