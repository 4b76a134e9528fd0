// What a study is: something measured that is no rate of a workload, in two processes, one that serves and one that measures.

/** One figure of a study, and what it should be. */
export interface Finding {
  readonly what: string
  readonly value: number
  readonly unit: string
  /** It is met when the value is not above it. */
  readonly most?: number
}

export interface Study {
  readonly name: string
  readonly title: string
  /** The process that serves: gives the ports on which it listens, and answers questions. */
  serve(): Promise<Serving>
  /** The process that measures. @param ask has the other process answer a question */
  measure(ports: readonly number[], ask: (question: string) => Promise<number>): Promise<Finding[]>
}

export interface Serving {
  readonly ports: readonly number[]
  answer(question: string): Promise<number>
}

/** Octets on the heap after the garbage is gone. The processes run with `--expose-gc`. */
export async function heap(): Promise<number> {
  for (let round = 0; round < 3; round++) {
    await new Promise((resolve) => setTimeout(resolve, 50))
    globalThis.gc?.()
  }
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

/** Watches the resident memory while something runs. @returns by how many octets it grew at most */
export async function residentGrowth(run: () => Promise<unknown>): Promise<number> {
  const watch = watchResident()
  await run()
  return watch()
}

/** Begins to watch; the function that is returned ends it and gives the growth. */
export function watchResident(): () => number {
  globalThis.gc?.()
  const before = process.memoryUsage.rss()
  let most = before
  const timer = setInterval(() => {
    most = Math.max(most, process.memoryUsage.rss())
  }, 20)
  return () => {
    clearInterval(timer)
    return Math.max(most, process.memoryUsage.rss()) - before
  }
}

export const KIB = 1024
export const MIB = 1_048_576
