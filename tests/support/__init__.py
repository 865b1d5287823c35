"""What the tests of several folders share. No test module imports another one, or a conftest."""

from pkgutil import iter_modules

import pytest

# An `assert` in these modules shows what it compared, as one in a test does. Must come before they are imported.
pytest.register_assert_rewrite(*(f"{__name__}.{module.name}" for module in iter_modules(__path__)))
