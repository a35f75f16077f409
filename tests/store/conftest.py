"""The store's tests run the migrations: they are about what these make."""

from collections.abc import Iterator

import pytest

from tests.store.template import Template


@pytest.fixture(autouse=True)
def migrations_run(template: Template) -> Iterator[None]:
    template.wanted = False
    yield
    template.wanted = True
