"""Links within the dashboard turn the page in the running app, and stay links; the first page has its name too."""

from typing import Any

from tests.dashboard.conftest import Site, opened, settled

_LINK = '[aria-label="Last requests"] tbody a'


def test_a_link_turns_the_page_without_loading_it_anew(site: Site, page: Any) -> None:
    opened(page, site.url + "/?live=off&window=now-7d")
    page.evaluate("window.kept = true")
    page.wait_for_selector(_LINK)
    href = page.get_attribute(_LINK, "href")
    page.click(_LINK)
    page.wait_for_selector('h1:has-text("Trace")')
    settled(page)
    assert href.split("trace=")[1][:32] in page.url and "window=now-7d" in page.url
    page.go_back()
    page.wait_for_selector('h1:has-text("Overview")')
    assert "/traces" not in page.url
    page.go_forward()
    page.wait_for_selector('h1:has-text("Trace")')
    assert page.evaluate("window.kept"), "nothing was loaded anew"
    page.reload()
    page.wait_for_selector('h1:has-text("Trace")')
    assert href.split("trace=")[1][:32] in page.url and not page.evaluate("window.kept")


def test_a_link_opens_in_a_new_tab_for_who_wants_that(site: Site, page: Any) -> None:
    opened(page, site.url + "/?live=off&window=now-7d")
    page.wait_for_selector(_LINK)
    with page.context.expect_page() as opening:
        page.click(_LINK, modifiers=["Control"])
    opening.value.wait_for_selector('h1:has-text("Trace")')
    opening.value.close()
    assert page.inner_text("h1") == "Overview"


def test_the_keyboard_follows_a_link_too(site: Site, page: Any) -> None:
    opened(page, site.url + "/?live=off&window=now-7d")
    page.evaluate("window.kept = true")
    page.wait_for_selector(_LINK)
    page.focus(_LINK)
    page.keyboard.press("Enter")
    page.wait_for_selector('h1:has-text("Trace")')
    assert page.evaluate("window.kept")


def test_the_first_page_is_found_by_its_name(site: Site, page: Any) -> None:
    opened(page, site.url + "/overview?live=off&window=now-1h")
    assert page.inner_text("h1") == "Overview"
    assert page.url.startswith(site.url + "/?") and "window=now-1h" in page.url and "live=off" in page.url
