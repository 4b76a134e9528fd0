// A key and a certificate for the servers that speak TLS: nobody verifies them. What makes them is larger than any contestant, so their processes are given them.
import { Identity } from '../src/cloudy/identity.js'
import type { Credentials } from './contestant.js'

/** P-256, as a peer of Cloudy has. */
export async function makeCredentials(): Promise<Credentials> {
  const identity = await Identity.generate()
  return { key: identity.privateKeyPem(), cert: identity.certificatePem() }
}
