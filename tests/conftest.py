"""What holds for all tests: properties are about values, so no example fails for being slow on a busy machine."""

from hypothesis import settings

settings.register_profile("agent-sim", deadline=None)
settings.load_profile("agent-sim")
