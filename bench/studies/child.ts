// One of the two processes of a study: `serve NAME`, or `measure NAME PORT…`, which has its parent carry its questions.
import { STUDIES } from './index.js'
import type { Finding } from './study.js'

/** What a child says. */
export type Report =
  | { readonly ports: readonly number[] }
  | { readonly question: string }
  | { readonly answer: number }
  | { readonly findings: readonly Finding[] }
  | { readonly error: string }

const [role, name, ...ports] = process.argv.slice(2)

function tell(report: Report): void {
  process.send?.(report)
}

function failed(error: unknown): void {
  tell({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) })
}

async function main(): Promise<void> {
  const study = STUDIES.find((each) => each.name === name)
  if (study === undefined) throw new Error(`There is no study ${name}`)
  if (role === 'serve') {
    const serving = await study.serve()
    process.on('message', (question: string) => {
      serving.answer(question).then((answer) => tell({ answer }), failed)
    })
    tell({ ports: serving.ports })
    return
  }
  const ask = (question: string) =>
    new Promise<number>((resolve) => {
      process.once('message', (answer: number) => resolve(answer))
      tell({ question })
    })
  tell({ findings: await study.measure(ports.map(Number), ask) })
}

process.on('disconnect', () => process.exit())
process.on('uncaughtException', failed)
main().catch(failed)
