// The names of Cloudy's profiles: one prefix, chosen once.

const PREFIX = 'urn:cloudy:beep:profiles:'

/** Certificates: each shows its own, then they are asked for by fingerprint. */
export const CERTIFICATES = `${PREFIX}certificates`
/** Signed objects, given and kept, asked for and followed. */
export const OBJECTS = `${PREFIX}objects`
/** Files: a signed manifest, then the octets. */
export const FILES = `${PREFIX}files`
