// How the report's page looks, in the light and in the dark.

export const STYLE = `
:root { color-scheme: light dark; --ink: #1c2430; --soft: #5b6675; --paper: #fbfbf9; --card: #ffffff; --line: #d9dde3; --good: #1a7f4b; --bad: #b3261e; --weak: #96690b; --known: #7a4fa3; --none: #8a94a1; --accent: #2457c5; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e8ee; --soft: #9aa6b5; --paper: #14181e; --card: #1b2129; --line: #323b47; --good: #56c58b; --bad: #ff8a80; --weak: #e2b354; --known: #c39be8; --none: #728092; --accent: #8db1ff; } }
* { box-sizing: border-box; }
body { margin: 0; font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); }
main, header { max-width: 1180px; margin: 0 auto; padding: 1.2rem 1.4rem; }
header { padding-bottom: 0; }
h1 { font-size: 1.5rem; margin: 0 0 .2rem; }
h4 { margin: 1.2rem 0 .3rem; font-size: 1rem; }
p.lead { margin: 0 0 1rem; color: var(--soft); max-width: 70ch; }
.targets { display: grid; grid-template-columns: repeat(auto-fill, minmax(250px, 1fr)); gap: .8rem; padding: 0; margin: 0 0 1rem; list-style: none; }
.targets li { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: .7rem .9rem; }
.targets b { display: block; overflow-wrap: anywhere; }
.targets small { color: var(--soft); display: block; overflow-wrap: anywhere; }
.targets .died { color: var(--bad); }
.bar { display: flex; height: 8px; border-radius: 4px; overflow: hidden; margin: .5rem 0 .35rem; background: var(--line); }
.bar i { display: block; }
.bar .passed { background: var(--good); } .bar .failed, .bar .not-run, .bar .mended { background: var(--bad); } .bar .weak { background: var(--weak); } .bar .known { background: var(--known); } .bar .unsupported { background: var(--none); }
form { display: flex; flex-wrap: wrap; gap: .6rem; align-items: end; padding: .7rem 0; position: sticky; top: 0; background: var(--paper); z-index: 2; border-bottom: 1px solid var(--line); }
form label { display: flex; flex-direction: column; font-size: .8rem; color: var(--soft); }
form input, form select { font: inherit; color: inherit; background: var(--card); border: 1px solid var(--line); border-radius: 6px; padding: .3rem .5rem; max-width: 18rem; }
#shown { margin-left: auto; color: var(--soft); font-size: .9rem; padding-bottom: .35rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .3rem .5rem; border-bottom: 1px solid var(--line); vertical-align: top; }
thead th { font-size: .85rem; vertical-align: bottom; max-width: 9rem; overflow-wrap: anywhere; }
thead th { position: sticky; top: 4.4rem; background: var(--paper); z-index: 1; }
thead small { display: block; font-weight: normal; color: var(--soft); }
thead th:nth-child(n+3), td.cell { text-align: center; width: 6.5rem; }
table.many thead th:nth-child(n+3) span { writing-mode: vertical-rl; transform: rotate(180deg); text-align: left; }
table.many thead th:nth-child(n+3), table.many td.cell { width: 3.4rem; padding-inline: .1rem; }
tr.section th { padding-top: 1.1rem; font-family: ui-monospace, monospace; font-size: .9rem; color: var(--accent); border-bottom-color: var(--accent); }
tr[hidden], [hidden] { display: none; }
td > button { all: unset; cursor: pointer; display: block; width: 100%; }
td > button:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; border-radius: 4px; }
td > button code { font-weight: 600; margin-right: .7rem; }
td > button code::before { content: '▸ '; color: var(--soft); }
td > button[aria-expanded=true] code::before { content: '▾ '; }
td > button span { color: var(--soft); }
.level { font-size: .75rem; color: var(--soft); width: 4.5rem; padding-top: .5rem; }
.mark { font-weight: 700; }
.passed { color: var(--good); } .failed, .not-run, .mended { color: var(--bad); } .weak { color: var(--weak); } .known { color: var(--known); } .unsupported, .none { color: var(--none); }
.bar .passed, .bar .failed, .bar .weak, .bar .known, .bar .unsupported { color: transparent; }
.details { padding: .2rem 0 1.2rem 1.1rem; max-width: 1000px; }
blockquote { margin: .3rem 0 .8rem; padding: .1rem .9rem; border-left: 3px solid var(--accent); font-style: italic; }
blockquote::before { content: '“'; } blockquote::after { content: '”'; }
dl { display: grid; grid-template-columns: 6rem 1fr; gap: .15rem .8rem; margin: 0; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
.lines { margin-top: .7rem; background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: .6rem .8rem; overflow-x: auto; }
.ends { display: flex; justify-content: space-between; font-size: .8rem; color: var(--soft); }
.ladder { list-style: none; margin: .3rem 0 0; padding: 0 .9rem; border-left: 2px solid var(--line); border-right: 2px solid var(--line); }
.ladder li { padding: .35rem 0; position: relative; min-width: 420px; }
.ladder .at { font-size: .7rem; color: var(--soft); }
.ladder .note { text-align: center; color: var(--soft); }
.ladder .note .at { margin-right: .6rem; }
.arrow { height: 0; border-top: 2px solid var(--accent); margin: .15rem -.9rem .25rem; position: relative; }
.from-L .arrow { border-color: var(--good); }
.arrow::after { content: ''; position: absolute; top: -6px; border: 5px solid transparent; }
.from-I .arrow::after { right: 0; border-left: 8px solid var(--accent); border-right: 0; }
.from-L .arrow::after { left: 0; border-right: 8px solid var(--good); border-left: 0; }
.ladder pre { margin: 0; font: 12.5px/1.45 ui-monospace, monospace; white-space: pre-wrap; overflow-wrap: anywhere; max-height: 22rem; overflow-y: auto; }
.from-L pre.said { margin-left: 14%; } .from-I pre.said { margin-right: 14%; }
.ladder button { font: 11px ui-monospace, monospace; color: var(--soft); background: none; border: 1px solid var(--line); border-radius: 4px; cursor: pointer; padding: 0 .4rem; }
.ladder button[aria-pressed=true] { color: var(--accent); border-color: var(--accent); }
.from-L button { margin-left: 14%; }
pre.hex { color: var(--soft); margin-top: .3rem !important; white-space: pre; }
@media (max-width: 700px) { form { position: static; } table { display: block; overflow-x: auto; } .details { position: sticky; left: 0; width: calc(100vw - 3.4rem); } td > button span { display: block; } .level { display: none; } thead th:nth-child(2) { display: none; } thead th:nth-child(n+3), td.cell { width: auto; } thead th { position: static; } main, header { padding-inline: .7rem; } }
@media print { form { display: none; } }
`
