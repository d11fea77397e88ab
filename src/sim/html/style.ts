/** The style of the report: system fonts, readable in light and dark, one colour per kind of address. */
export const style = `
:root {
  color-scheme: light dark;
  --page: #ffffff; --text: #1b1f24; --quiet: #57606a; --line: #d8dee4; --card: #f6f8fa; --bad: #b42318;
  --pods: #1a7f5a; --warm: #e0a100; --cooling: #3b82c4; --other: #8b949e; --free: #c9d1d9;
  --nodes: #6f42c1; --requests: #1f6feb; --throttled: #d1242f; --waiting: #d1242f; --homeless: #bf6a02; --blocks: #8250df;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #0e1116; --text: #e6edf3; --quiet: #9aa4af; --line: #2b323b; --card: #161b22; --bad: #ff7b72;
    --pods: #3fb68b; --warm: #e3b341; --cooling: #58a6ff; --other: #7d8590; --free: #343b44;
    --nodes: #b392f0; --requests: #79b8ff; --throttled: #ff7b72; --waiting: #ff7b72; --homeless: #ffa657; --blocks: #d2a8ff;
  }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 24px; max-width: max(1240px, calc(420px * var(--runs))); background: var(--page); color: var(--text);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
h1 { font-size: 24px; margin: 0 0 4px; } h2 { font-size: 18px; margin: 32px 0 8px; }
p { margin: 4px 0 12px; color: var(--quiet); }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: 8px 0 16px; }
th, td { padding: 4px 14px 4px 0; text-align: right; border-bottom: 1px solid var(--line); }
th { color: var(--quiet); font-weight: 500; } th:first-child, td:first-child { text-align: left; }
.wide { overflow-x: auto; }
.grid2 { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(460px, 100%), 1fr)); gap: 16px; }
.runs { display: grid; grid-template-columns: repeat(var(--runs), minmax(0, 1fr)); gap: 16px; }
@media (max-width: 800px) { .runs { grid-template-columns: minmax(0, 1fr); } }
figure { display: flex; flex-direction: column; margin: 0; padding: 12px 14px; background: var(--card); border: 1px solid var(--line); border-radius: 8px; }
figcaption { font-weight: 600; margin-bottom: 6px; }
svg { width: 100%; height: auto; display: block; margin-top: auto; }
.grid { stroke: var(--line); stroke-width: 1; }
.tick { fill: var(--quiet); font-size: 11px; }
.line { fill: none; stroke-width: 2; stroke-linejoin: round; }
.hover { fill: transparent; } .hover:hover { fill: color-mix(in srgb, var(--text) 8%, transparent); }
.legend { display: flex; flex-wrap: wrap; gap: 4px 16px; margin-top: 6px; color: var(--quiet); font-size: 13px; }
.key { display: inline-flex; align-items: center; gap: 6px; }
.key i { width: 12px; height: 12px; border-radius: 3px; }
.failure { border-left: 4px solid var(--bad); padding: 6px 12px; background: var(--card); margin: 8px 0 16px; }
.calm { border-left-color: var(--pods); }
${[
  "pods",
  "warm",
  "cooling",
  "other",
  "free",
  "nodes",
  "requests",
  "throttled",
  "waiting",
  "homeless",
  "blocks",
]
  .map(
    (look) =>
      `.area.${look} { fill: var(--${look}); } .line.${look} { stroke: var(--${look}); } i.${look} { background: var(--${look}); }`,
  )
  .join("\n")}
`;
