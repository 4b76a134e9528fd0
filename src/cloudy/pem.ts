// PEM (RFC 7468): DER in lines of text, between BEGIN and END.

export interface PemBlock {
  readonly label: string
  readonly der: Uint8Array
}

const BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----\r?\n([A-Za-z0-9+/=\r\n]+?)\r?\n?-----END \1-----/g

export function toPem(label: string, der: Uint8Array): string {
  const lines = Buffer.from(der)
    .toString('base64')
    .replace(/(.{64})(?!$)/g, '$1\n')
  return `-----BEGIN ${label}-----\n${lines}\n-----END ${label}-----\n`
}

/** The blocks of a text, in their order; what stands between them is ignored. */
export function readPem(text: string): PemBlock[] {
  return Array.from(text.matchAll(BLOCK), ([, label, base64]) => ({
    label: label!,
    der: new Uint8Array(Buffer.from(base64!, 'base64')),
  }))
}
