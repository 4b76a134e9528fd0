// Names of features (RFC 3080 §5.2).
import { must, section } from '../harness/case.js'
import { Failure } from '../harness/failure.js'

/** Registered with the IANA: asynchronous channels (RFC 5573). */
const REGISTERED = new Set(['async'])

export const features = section('rfc3080/5.2', 'Feature Registration Template', [
  must(
    'names',
    {
      title: 'the features that the target names',
      judges: ['R3080-5.2-01', 'R3080-2.3.1.1-04'],
      quote: 'identification must start with "x-"',
      sends: 'our greeting',
      expects: 'features that are registered, or begin with x-',
    },
    async (peer) => {
      const { features = '' } = (await peer.greet()).attributes
      const names = features.split(/[\t\n\r ]+/).filter((name) => name !== '')
      const wrong = names.find((name) => !name.startsWith('x-') && !REGISTERED.has(name))
      if (wrong !== undefined) throw new Failure(`the feature ${wrong} is neither registered nor begins with x-`)
      return names.length === 0 ? 'no features' : features
    },
  ),
])
