// TLS on both sides, with keys instead of authorities: each knows the other by the fingerprint of a key.
import { connect, listen } from 'cloudy-beep'
import { Identity, readCertificate } from 'cloudy-beep/cloudy'

const SECRET = 'http://example.org/secret'

export async function whisper(): Promise<string> {
  const ada = await Identity.generate({ nickname: 'Ada' })
  const bob = await Identity.generate({ nickname: 'Bob' })
  const credentials = (identity: Identity) => ({ key: identity.privateKeyPem(), cert: identity.certificatePem() })
  const only = (identity: Identity) => (certificate: { readonly raw: Uint8Array }) => {
    if (readCertificate(certificate.raw).fingerprint !== identity.fingerprint) throw new Error('this is somebody else')
  }

  await using listener = await listen({
    host: 'localhost',
    profiles: [{ uri: SECRET, message: () => 'the word is swordfish' }],
    tls: { ...credentials(ada), verify: only(bob) },
  })
  await using session = await connect({
    host: 'localhost',
    port: listener.address.port,
    tls: { ...credentials(bob), verify: only(ada) },
  })
  const channel = await session.start(SECRET)
  return (await channel.request('the word?')).text()
}
