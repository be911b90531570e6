"""What tells one machine from another, as far as a measurement made on it is concerned."""


def processor(cpuinfo: str) -> str:
    """What Linux calls the processor in `/proc/cpuinfo`; empty where it does not say."""
    names = (line.partition(":")[2].strip() for line in cpuinfo.splitlines() if line.startswith("model name"))
    return next(names, "")
