// A key and a certificate for the servers that speak TLS, fresh for each: nobody verifies them.
import { Identity } from '../../src/cloudy/identity.js'

export interface Credentials {
  readonly key: string
  readonly cert: string
}

/** P-256, as a peer of Cloudy has. */
export async function credentials(): Promise<Credentials> {
  const identity = await Identity.generate()
  return { key: identity.privateKeyPem(), cert: identity.certificatePem() }
}
