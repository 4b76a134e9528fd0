// What the package gives to whoever wants Cloudy: identities, signed objects, cards, peers.
export { AddressBook, type AddressBookOptions, type AddressSource, type KnownAddress } from './address-book.js'
export { type Availability, type CallingCard, type CardFields, signCard, verifyCard } from './calling-card.js'
export { type IdentityCertificate, readCertificate } from './certificate.js'
export type { KeyKind, WebCrypto } from './crypto.js'
export { type Watch, type WatchOptions, watchNeighbours } from './discovery/watch.js'
export { type Fingerprint, formatFingerprint, isFingerprint, type PublicKey, parseFingerprint } from './fingerprint.js'
export { Friend, type FriendOptions, type Patience } from './friend.js'
export { type GenerateOptions, Identity, IdentityError, type LoadOptions, type SignOptions } from './identity.js'
export type { Json } from './json.js'
export { KeyHistory, type KeyState } from './key-history.js'
export { ObjectError, type ObjectReason } from './object-error.js'
export type { ObjectQuery } from './object-query.js'
export {
  type Giver,
  type Kept,
  ObjectStore,
  type Outcome,
  type Storable,
  type StoreLimits,
  type StoreOptions,
} from './object-store.js'
export { Peer, type PeerOptions, type Seen } from './peer.js'
export type { Following } from './profiles/asking.js'
export { FILE_TYPE, type FilesOptions, type Manifest } from './profiles/files.js'
export type { ObjectsOptions, Received } from './profiles/objects.js'
export { WrongKeyError } from './profiles/person.js'
export { CERTIFICATES, FILES, OBJECTS } from './profiles/uris.js'
export * from './reachability/index.js'
export { type Envelope, type SignedObject, type Signer, verifyObject } from './signed-object.js'
export { acceptSuccession, type KeyChange, type KeyStatement, revoke, succeed, verifyKeyStatement } from './succession.js'
export { inQuotes, sanitise } from './text.js'
export { type Action, RIGHTS, type Rights, type Trust } from './trust.js'
