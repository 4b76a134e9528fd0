// For the tests of the address book: people, cards that say where they are, and a book on a link of its own.
import { AddressBook, type AddressBookOptions } from './address-book.js'
import { formatFingerprint } from './fingerprint.js'

export const name = (n: number) => formatFingerprint(Buffer.alloc(32, n % 256).fill(n >> 8, 0, 1))
export const ada = name(1)
export const bob = name(2)
export const onLink = (address: string) =>
  address.startsWith('192.168.7.') || address.startsWith('fd77:') || address.startsWith('fe80:')
export const card = (
  fields: Partial<{
    fingerprint: string
    addresses: string[]
    port: number
    external: { address: string; port: number }
    sequence: number
    expires: number
  }> = {},
) => ({
  fingerprint: ada,
  addresses: ['192.168.7.2', 'fd77::2', '10.1.1.1', '192.168.7.3'],
  port: 4000,
  external: { address: '44.128.0.1', port: 40_000 },
  sequence: 1,
  expires: 4_000_000_000,
  ...fields,
})
export const hosts = (addresses: readonly { host: string }[]) => addresses.map(({ host }) => host)
export const open = (options: AddressBookOptions = {}) => AddressBook.open({ onLink, ...options })
