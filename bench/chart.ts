// The report as a picture: for each workload a bar a contestant, how many times as fast as it we are, on a logarithmic scale around 1.
import type { Section } from './report.js'

const LEFT = 300
const WIDTH = 560
const ROW = 20
const GAP = 14
/** The scale runs from a tenth to a hundred times. */
const [LEAST, MOST] = [0.1, 100]
const GRID = [0.1, 0.25, 0.5, 1, 2, 5, 10, 25, 100]

/** @param subtitle machine and method, in one line */
export function chart(sections: readonly Section[], subtitle: string): string {
  const parts: string[] = []
  let y = 64
  for (const { workload, lines } of sections) {
    parts.push(`<text x="12" y="${y + 14}" class="work">${xml(workload.name)}: ${xml(workload.title)}</text>`)
    y += ROW
    for (const { contestant, ratio, target, met } of lines) {
      if (ratio === undefined) continue
      const [from, to] = [place(1), place(ratio.median)]
      const kind = met === undefined ? 'plain' : met ? 'met' : 'missed'
      parts.push(
        `<text x="${LEFT - 10}" y="${y + 14}" class="name">${xml(contestant)}</text>`,
        `<rect x="${Math.min(from, to)}" y="${y + 3}" width="${Math.max(1, Math.abs(to - from))}" height="${ROW - 6}" class="${kind}"><title>${ratio.least.toFixed(2)} to ${ratio.most.toFixed(2)}</title></rect>`,
        `<line x1="${place(ratio.least)}" x2="${place(ratio.most)}" y1="${y + ROW / 2}" y2="${y + ROW / 2}" class="spread" />`,
        `<text x="${LEFT + WIDTH + 10}" y="${y + 14}" class="value">${ratio.median.toFixed(2)}${target === undefined ? '' : ` (target ${target})`}</text>`,
      )
      if (target !== undefined)
        parts.push(`<line x1="${place(target)}" x2="${place(target)}" y1="${y}" y2="${y + ROW}" class="target" />`)
      y += ROW
    }
    y += GAP
  }
  const grid = GRID.map(
    (at) =>
      `<line x1="${place(at)}" x2="${place(at)}" y1="52" y2="${y}" class="${at === 1 ? 'one' : 'grid'}" /><text x="${place(at)}" y="48" class="tick">${at}</text>`,
  )
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${LEFT + WIDTH + 150} ${y + 10}" role="img" aria-label="How many times as fast as each contestant BEEP is">
<style>
svg { background: #fff; font: 12px system-ui, sans-serif; } text { fill: #1c2430; }
.title { font-size: 16px; font-weight: 600; } .sub, .tick { fill: #5b6675; font-size: 11px; } .tick { text-anchor: middle; }
.work { font-weight: 600; } .name { text-anchor: end; } .grid { stroke: #e3e7ec; } .one { stroke: #5b6675; }
.plain { fill: #7b93c7; } .met { fill: #2f9e68; } .missed { fill: #cf6a5e; } .spread { stroke: #1c2430; } .target { stroke: #1c2430; stroke-width: 2; stroke-dasharray: 3 2; }
</style>
<text x="12" y="20" class="title">How many times as fast as each contestant: right of 1 we are ahead</text>
<text x="12" y="36" class="sub">${xml(subtitle)}</text>
${grid.join('\n')}
${parts.join('\n')}
</svg>
`
}

function place(ratio: number): number {
  const within = Math.min(MOST, Math.max(LEAST, ratio))
  return Math.round((LEFT + (WIDTH * Math.log(within / LEAST)) / Math.log(MOST / LEAST)) * 10) / 10
}

function xml(text: string): string {
  return text.replace(/[&<>"]/g, (each) => `&#${each.charCodeAt(0)};`)
}
