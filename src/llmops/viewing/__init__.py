"""What the dashboard's pages are made with. Everything here and in `pages` is of the extra ``[dashboard]``.

A page is a file in ``pages/`` with one function ``render(view)``, and a row in ``PAGES`` of ``dashboard.py``::

    def render(view: View) -> None:
        view.title("Costs", "what calls cost, and whom")     # once, first
        model = address.select("Model", "model", ["", "a"])  # filters: widgets bound to the address
        view.live(lambda: _by_tenant(view, model))           # each panel a function, which refreshes by itself

    def _by_tenant(view: View, model: str) -> None:
        components.heading("By tenant", "the dearest first")
        found = view.get("/api/overview", **view.params, by="tenant", model=model)
        if found is None:                                    # said in words already: nothing more to do
            return
        if not found["rows"]:
            components.empty("No calls in this window", "Make one:", "llmops …")   # why, what next, the command
            return
        components.table(["tenant", "cost"], [[row["tenant"], figures.money(row["nanousd"])] for row in found["rows"]],
                         numbers=("cost",))

- Ask with ``view.get``, or ``view.ask`` where a failure is yours to show. ``view.params`` are ``from``, ``to``,
  ``tenant``. Change things with ``view.send("DELETE", f"/api/keys/{id}")``: only where ``view.may_change``, after
  ``st.dialog`` has asked.
- Foreign text goes to `components` and `charts` as it is: they escape and shorten it. Into your own markup only by
  ``words.html``, into widgets' labels and options by ``words.plain`` (options are not markdown) or ``words.markdown``
  (labels are), never into ``st.markdown``.
- Numbers by `figures`, differences by `change`, colours from ``view.palette`` (``series``, ``good``, ``bad``), links
  within the dashboard by ``components.link("traces", trace=id)``; charts side by side in
  ``st.grid(min_column_width=460)``.
- Charts have fixed heights and a ``key`` and an ``alt_text``; ``charts.show`` takes any altair chart.
"""
