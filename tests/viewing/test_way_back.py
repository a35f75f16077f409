"""Where "Newer" leads, for each reader, and that nothing is kept without end."""

from llmops.viewing.way_back import WayBack


def test_the_way_back_is_the_way_that_was_walked() -> None:
    way = WayBack()
    way.note("ada", "second", "")
    way.note("ada", "third", "second")
    assert way.before("ada", "third") == "second" and way.before("ada", "second") == ""
    assert way.before("grace", "third") is None, "another reader has not walked it"
    assert way.before("ada", "elsewhere") is None


def test_it_forgets_the_oldest_first() -> None:
    way = WayBack(most=2)
    for number in range(3):
        way.note("ada", f"{number}", f"{number - 1}")
    assert [way.before("ada", f"{number}") for number in range(3)] == [None, "0", "1"]
