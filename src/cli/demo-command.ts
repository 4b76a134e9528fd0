// `cloudy demo`: the demonstration, on the command line.
import type { Command } from 'commander'

export function addDemoCommands(program: Command): void {
  program
    .command('demo')
    .description('two peers on this machine meet, from a fresh key to a file that arrived')
    .option('--trace', 'print the sessions in the notation of RFC 3080, too')
    .addHelpText('after', '\nExample:\n  $ cloudy demo --trace')
    .action(async ({ trace = false }: { trace?: boolean }) => {
      const { demo } = await import('./demo.js')
      process.exitCode = await demo({ trace, print: (line) => process.stdout.write(`${line}\n`) })
    })
}
