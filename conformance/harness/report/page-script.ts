// What runs in the browser on the report's page. Its functions are written into the page as they are, so they may use each other, the ladder and the
// language, and nothing that is imported.
import type { PageData, PageResult } from './html.js'
import { rungs } from './ladder.js'

/** Makes an element. Text is always text: nothing that a target said is ever read as HTML. */
function make(name: string, attributes: Record<string, string> = {}, ...children: (Node | string)[]): HTMLElement {
  const element = document.createElement(name)
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value)
  element.append(...children)
  return element
}

/** How an outcome is shown: class, sign, words. */
function verdict(result: PageResult | null): [kind: string, sign: string, words: string] {
  if (result === null) return ['none', '', 'not in this run']
  if (result.mended) return ['mended', '!', 'passes, though listed as a deviation']
  if (result.known !== undefined) return ['known', '✗', 'known deviation']
  const words: Record<string, [string, string]> = {
    passed: ['✓', 'passed'],
    failed: ['✗', 'failed'],
    weak: ['~', 'recommendation not followed'],
    unsupported: ['–', 'unsupported'],
    'not-run': ['!', 'not run'],
  }
  const [sign, text] = words[result.outcome] ?? ['?', result.outcome]
  return [result.outcome, sign, text]
}

function ladder(result: PageResult): HTMLElement {
  const list = make('ol', { class: 'ladder' })
  for (const rung of rungs(result.log)) {
    if (rung.from === undefined) {
      list.append(
        make('li', { class: 'note' }, make('span', { class: 'at' }, `${rung.at} ms`), make('em', {}, rung.lines.join(' '))),
      )
      continue
    }
    const said = make('pre', { class: 'said' }, rung.lines.join('\n'))
    const hex = make('pre', { class: 'hex', hidden: '' }, rung.hex.join('\n'))
    const toggle = make('button', { type: 'button', 'aria-pressed': 'false' }, 'hex')
    toggle.addEventListener('click', () => {
      hex.hidden = !hex.hidden
      toggle.setAttribute('aria-pressed', String(!hex.hidden))
    })
    const item = make(
      'li',
      { class: `from-${rung.from}` },
      make('span', { class: 'at' }, `${rung.at} ms`),
      make('div', { class: 'arrow' }),
      said,
    )
    if (rung.omitted > 0) said.append(make('em', {}, `\n… ${rung.omitted} octets more`))
    item.append(toggle, hex)
    list.append(item)
  }
  return make(
    'div',
    { class: 'lines' },
    make('div', { class: 'ends' }, make('b', {}, 'I: initiator'), make('b', {}, 'L: listener')),
    list,
  )
}

function details(one: PageData['cases'][number], targets: PageData['targets']): HTMLElement {
  const facts = make('dl')
  const fact = (name: string, text: string | undefined) => {
    if (text !== undefined && text !== '') facts.append(make('dt', {}, name), make('dd', {}, text))
  }
  fact('Sends', one.sends)
  fact('Expects', one.expects)
  fact('Judges', one.judges.join(', '))
  const box = make('div', { class: 'details' })
  if (one.quote !== '') box.append(make('blockquote', {}, one.quote))
  box.append(facts)
  one.results.forEach((result, at) => {
    if (result === null) return
    const [kind, sign, words] = verdict(result)
    const heading = make(
      'h4',
      {},
      make('span', { class: `mark ${kind}` }, sign),
      ` ${targets[at]?.name ?? ''}, ${targets[at]?.role ?? ''}: ${words}`,
    )
    const list = make('dl')
    const row = (name: string, text: string | undefined) => {
      if (text !== undefined && text !== '') list.append(make('dt', {}, name), make('dd', {}, text))
    }
    row('Saw', result.saw)
    row('Ended', result.ending === 'none' ? undefined : result.ending)
    row('Reason', result.known)
    row('Samples', result.samples === undefined ? undefined : String(result.samples))
    row('Smallest', result.counterexample)
    box.append(make('section', {}, heading, list, ...(result.log.length > 0 ? [ladder(result)] : [])))
  })
  return box
}

/** Builds the page. */
export function main(data: PageData): void {
  const { targets, cases } = data
  const head = make('tr', {}, make('th', { scope: 'col' }, 'Case'), make('th', { scope: 'col' }, 'Level'))
  for (const { name, role } of targets) head.append(make('th', { scope: 'col' }, make('span', {}, name, make('small', {}, role))))
  const body = make('tbody')
  const rows: { row: HTMLElement; unfolded: HTMLElement; one: PageData['cases'][number]; group: HTMLElement }[] = []
  const groups = new Map<string, HTMLElement>()
  for (const one of cases) {
    let group = groups.get(one.section)
    if (group === undefined) {
      group = make(
        'tr',
        { class: 'section' },
        make('th', { scope: 'rowgroup', colspan: String(targets.length + 2) }, one.section),
      )
      groups.set(one.section, group)
      body.append(group)
    }
    const button = make(
      'button',
      { type: 'button', 'aria-expanded': 'false' },
      make('code', {}, one.slug),
      make('span', {}, one.title),
    )
    const row = make('tr', { id: one.id }, make('td', {}, button), make('td', { class: 'level' }, one.level))
    one.results.forEach((result, at) => {
      const [kind, sign, words] = verdict(result)
      const title = `${targets[at]?.name ?? ''}, ${targets[at]?.role ?? ''}: ${words}`
      row.append(make('td', { class: 'cell', title }, make('span', { class: `mark ${kind}`, 'aria-label': words }, sign)))
    })
    const unfolded = make('tr', { class: 'unfolded', hidden: '' })
    const unfold = (open: boolean) => {
      if (open && unfolded.childElementCount === 0)
        unfolded.append(make('td', { colspan: String(targets.length + 2) }, details(one, targets)))
      unfolded.hidden = !open
      button.setAttribute('aria-expanded', String(open))
    }
    button.addEventListener('click', () => unfold(unfolded.hidden === true))
    if (location.hash === `#${one.id}`) unfold(true)
    rows.push({ row, unfolded, one, group })
    body.append(row, unfolded)
  }
  const matrix = document.querySelector('#matrix')
  if (targets.length > 5) matrix?.classList.add('many')
  matrix?.append(make('thead', {}, head), body)

  // Filters: section, level, outcome, words. Each row is hidden unless all of them let it pass.
  const select = (id: string) => document.querySelector(id) as HTMLSelectElement
  const [section, level, outcome] = [select('#section'), select('#level'), select('#outcome')]
  const words = document.querySelector('#words') as HTMLInputElement
  const shown = document.querySelector('#shown')
  for (const name of groups.keys()) section.append(make('option', { value: name }, name))
  const filter = () => {
    const sought = words.value.trim().toLowerCase()
    let count = 0
    for (const group of groups.values()) group.hidden = true
    for (const { row, unfolded, one, group } of rows) {
      const kinds = one.results.map((result) => verdict(result)[0])
      const passes =
        (section.value === '' || one.section === section.value) &&
        (level.value === '' || one.level === level.value) &&
        (outcome.value === '' || kinds.includes(outcome.value)) &&
        (sought === '' || `${one.id} ${one.title} ${one.quote} ${one.judges.join(' ')}`.toLowerCase().includes(sought))
      row.hidden = !passes
      if (!passes) {
        unfolded.hidden = true
        row.querySelector('button')?.setAttribute('aria-expanded', 'false')
      } else {
        group.hidden = false
        count++
      }
    }
    if (shown !== null) shown.textContent = `${count} of ${rows.length} cases`
  }
  for (const each of [section, level, outcome]) each.addEventListener('change', filter)
  words.addEventListener('input', filter)
  filter()
  document.getElementById(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView()
}

/** All of it as source for a `<script>`. */
export function source(): string {
  return [make, verdict, rungs, ladder, details, main].map(String).join('\n')
}
