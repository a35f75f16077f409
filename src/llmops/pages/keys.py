"""Keys and limits: who may call and with what, how much, and what is used of it; with the actions that a role allows.

Three parts, of which one is shown; what needs attention stands above them all. Everything is the control plane's:
``/api/keys``, ``/api/usage`` (whole days, UTC), ``/api/limits``, ``/api/budgets``, ``/api/tenants``.
"""

from ..viewing import address, gauges, manage
from ..viewing.components import strip
from ..viewing.view import View
from . import keys_actions, keys_attention, keys_rule_actions, keys_rules, keys_table, keys_tenants

PARTS = {"keys": "API keys", "limits": "Limits and budgets", "tenants": "Tenants"}


def render(view: View) -> None:
    view.title("Keys and limits", "who may call, with what, and how much")
    manage.put_on()
    gauges.put_on()
    manage.said(view)
    for path in ("/api/budgets", "/api/limits"):
        view.expect(path)
    view.expect("/api/keys", tenant=view.tenant)
    keys_table.expect_spend(view)
    view.live(
        lambda: strip(keys_attention.troubles(view), "Nothing needs attention: no key runs out, no budget is used up")
    )
    part = address.choose(
        "Part", "part", list(PARTS), "keys", format_func=PARTS.__getitem__, label_visibility="collapsed"
    )
    if part == "keys":
        keys_table.show(view)
    elif part == "limits":
        keys_rules.show(view)
    else:
        keys_tenants.show(view)
    manage.dialogs(view, {**keys_actions.DIALOGS, **keys_rule_actions.DIALOGS, **keys_tenants.DIALOGS})
