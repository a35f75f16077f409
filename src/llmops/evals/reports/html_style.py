"""The looks of the HTML report: one style sheet, light and dark by the reader's own setting, from 320 pixels on."""

STYLE = """
:root { color-scheme: light dark; --ink: #1c1e21; --dim: #5c6470; --page: #ffffff; --card: #f5f6f8; --line: #d8dce2;
  --main: #2563c9; --other: #b4540a; --good: #17733c; --bad: #b3261e; --unsure: #8a6100; }
@media (prefers-color-scheme: dark) { :root { --ink: #e7e9ec; --dim: #a2a9b4; --page: #14161a; --card: #1d2026;
  --line: #363b44; --main: #7aa9f7; --other: #f0a35e; --good: #6fcf8f; --bad: #ff8a80; --unsure: #e6c15a; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 76rem; padding: 1rem; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.4rem; margin: 0.4rem 0; } h2 { font-size: 1.1rem; margin: 1.8rem 0 0.5rem; }
h3 { font-size: 0.95rem; margin: 0 0 0.4rem; } p.note { color: var(--dim); }
dl { display: grid; grid-template-columns: minmax(6rem, max-content) 1fr; gap: 0.15rem 1rem; margin: 0.5rem 0; }
dt { color: var(--dim); } dd { margin: 0; }
.verdict { padding: 0.7rem 1rem; border-left: 6px solid var(--unsure); background: var(--card); font-weight: 600; }
.verdict.PASS { border-color: var(--good); } .verdict.BLOCK, .verdict.ERROR { border-color: var(--bad); }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); gap: 1rem; }
figure { margin: 0; padding: 0.8rem; background: var(--card); border-radius: 6px; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; font-size: 0.88rem; }
.scroll:focus-visible { outline: 2px solid var(--main); }
th, td { text-align: left; padding: 0.25rem 0.9rem 0.25rem 0; border-bottom: 1px solid var(--line);
  vertical-align: top; max-width: 32rem; }
th { color: var(--dim); font-weight: 600; white-space: nowrap; } td { font-variant-numeric: tabular-nums; }
td.text { min-width: 14rem; white-space: pre-wrap; }
svg { display: block; width: 100%; height: auto; } svg text { fill: var(--dim); font: 12px system-ui, sans-serif; }
.bar { fill: var(--main); } .outline { fill: none; stroke: var(--other); stroke-width: 1.5; }
.axis { stroke: var(--line); } .zero { stroke: var(--dim); stroke-dasharray: 4 3; }
.range { stroke: var(--main); stroke-width: 3; } .dot { fill: var(--main); }
.point.case { fill: var(--dim); opacity: 0.5; } .point.run { fill: var(--main); }
.point.baseline { fill: var(--other); }
@media print { body { max-width: none; } .scroll { overflow: visible; } }
"""
