// Runs studies: each in two fresh processes, pinned like those of the workloads.
import { fileURLToPath } from 'node:url'
import { begin, type Places } from '../pair.js'
import type { Report } from './child.js'
import { STUDIES } from './index.js'
import type { Finding, Study } from './study.js'

const CHILD = fileURLToPath(new URL('./child.js', import.meta.url))
/** Milliseconds that a study may take: ten million messages take minutes. */
const PATIENCE = 900_000

export interface StudyResult {
  readonly study: string
  readonly title: string
  readonly findings: readonly Finding[]
}

/** @param wants which studies */
export async function runStudies(wants: (name: string) => boolean, places: Places): Promise<StudyResult[]> {
  const results: StudyResult[] = []
  for (const study of STUDIES.filter(({ name }) => wants(name))) {
    process.stderr.write(`studying ${study.name}\n`)
    results.push({ study: study.name, title: study.title, findings: await runStudy(study, places) })
  }
  return results
}

function runStudy(study: Study, places: Places): Promise<readonly Finding[]> {
  const server = begin(CHILD, ['serve', study.name], places.server, ['--expose-gc'])
  let client: ReturnType<typeof begin> | undefined
  let timer: NodeJS.Timeout | undefined
  return new Promise<readonly Finding[]>((resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`${study.name} took longer than ${PATIENCE} ms`)), PATIENCE)
    const hear = (report: Report) => {
      if ('error' in report) reject(new Error(report.error))
      else if ('ports' in report) {
        client = begin(CHILD, ['measure', study.name, ...report.ports.map(String)], places.client, ['--expose-gc'])
        client.on('message', hear)
        client.once('exit', () => reject(new Error(`the measuring process of ${study.name} ended too early`)))
      } else if ('question' in report) server.send(report.question)
      else if ('answer' in report) client?.send(report.answer)
      else resolve(report.findings)
    }
    server.on('message', hear)
    server.once('exit', () => reject(new Error(`the serving process of ${study.name} ended too early`)))
  }).finally(() => {
    clearTimeout(timer)
    for (const child of [server, client]) if (child?.connected) child.disconnect()
  })
}

/** Lines of a table, a figure each. */
export function printStudies(results: readonly StudyResult[]): string {
  return results
    .map(({ study, title, findings }) => {
      const lines = findings.map(({ what, value, unit, most }) => {
        const verdict = most === undefined ? '' : `  at most ${figure(most)}: ${value <= most ? 'met' : 'MISSED'}`
        return `  ${what.padEnd(42)} ${figure(value).padStart(9)} ${unit}${verdict}`
      })
      return [`${study}: ${title}`, ...lines, ''].join('\n')
    })
    .join('')
}

function figure(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toFixed(2)
}
