// For the tests of Cloudy's profiles: Bob serves them all on a real socket behind TLS, and whoever wants dials him. What Bob thinks of people, and
// what time it is, are the test's to say.
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { connect, type Listener, listen, type Profile, type Session } from '../../beep/index.js'
import { deferred } from '../../beep/promises.js'
import { startTls, tls } from '../../profiles/index.js'
import { Acquaintances } from '../acquaintances.js'
import type { Fingerprint } from '../fingerprint.js'
import { Friend } from '../friend.js'
import type { Identity } from '../identity.js'
import { ObjectStore, type StoreLimits } from '../object-store.js'
import { Gate, type Trust } from '../trust.js'
import { certificates } from './certificates.js'
import { type FilesOptions, files } from './files.js'
import { type ObjectsOptions, objects, type Received } from './objects.js'
import { personOf, verifyKey } from './person.js'

export interface WorldOptions {
  readonly bob: Identity
  readonly trust?: Trust
  /** What Bob thinks of each, where he does not think the same of everybody. */
  readonly trustOf?: (fingerprint: Fingerprint) => Trust
  readonly downloads?: string
  readonly limits?: Partial<StoreLimits>
  readonly onFile?: Partial<FilesOptions>
  readonly receive?: ObjectsOptions['receive']
  /** What Bob serves instead: the false peer. */
  readonly serves?: readonly Profile[]
}

export interface World extends AsyncDisposable {
  /** What Bob thinks of everybody. */
  trust: Trust
  /** Milliseconds since 1970. */
  now: number
  readonly gate: Gate
  readonly store: ObjectStore
  readonly acquaintances: Acquaintances
  /** What Bob's application was told of. */
  readonly received: Received[]
  readonly listener: Listener
  /** Somebody dials Bob, and may serve profiles, too. */
  dial(who: Identity, profiles?: readonly Profile[]): Promise<{ readonly friend: Friend; readonly atBob: Session }>
}

export async function world(options: WorldOptions): Promise<World> {
  const { bob, downloads = '/nonexistent', limits, onFile } = options
  const received: Received[] = []
  const acquaintances = new Acquaintances()
  const clock = { now: Date.now() }
  const now = () => clock.now
  const store = new ObjectStore({ now, limits })
  const gate = new Gate({ trustOf: options.trustOf ?? (() => self.trust), now })
  const credentials = (who: Identity) => ({
    key: who.privateKeyPem(),
    cert: who.certificatePem(),
    minVersion: 'TLSv1.3' as const,
  })
  const honest = [
    certificates({ gate, own: bob.certificate, acquaintances }),
    objects({
      gate,
      self: bob.fingerprint,
      now,
      store,
      receive: async (each) => {
        await options.receive?.(each)
        received.push(each)
      },
    }),
    files({ gate, self: bob.fingerprint, now, directory: downloads, ...onFile }),
  ]
  let arrived = deferred<Session>()
  const listener = await listen({
    host: '127.0.0.1',
    profiles: [tls({ ...credentials(bob), verify: (certificate) => void verifyKey(certificate) }), ...(options.serves ?? honest)],
    onSession: (session) => {
      if (session.tls === undefined) return
      acquaintances.meet(personOf(session), session)
      arrived.resolve(session)
    },
  })
  const self: World = {
    trust: options.trust ?? 'vouched',
    get now() {
      return clock.now
    },
    set now(time) {
      clock.now = time
    },
    gate,
    store,
    acquaintances,
    received,
    listener,
    async dial(who, profiles = []) {
      arrived = deferred()
      const clear = await connect({ host: '127.0.0.1', port: listener.address.port, profiles })
      const session = await startTls(clear, {
        ...credentials(who),
        verify: (certificate) => void verifyKey(certificate, bob.fingerprint),
      })
      return { friend: new Friend({ session, person: personOf(session), identity: who, now }), atBob: await arrived.promise }
    },
    async [Symbol.asyncDispose]() {
      store.close()
      await listener.close()
    },
  }
  return self
}

/** Resolves once a channel of the session may send nothing more: all that is said there waits for whoever does not read. */
export async function exhausted(session: Session): Promise<void> {
  const full = () => [...session.channels.values()].some(({ windows }) => windows.sendable === 0)
  const done = deferred<void>()
  const look = () => {
    if (full()) done.resolve()
  }
  subscribe('beep:octets', look)
  look()
  await done.promise
  unsubscribe('beep:octets', look)
}
