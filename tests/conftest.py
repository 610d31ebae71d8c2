"""What holds for every test."""

from hypothesis import settings

# The machines are noisy, and no test is one of speed: an example that takes long is not wrong.
settings.register_profile("tagwharf", deadline=None, print_blob=True)
settings.load_profile("tagwharf")
