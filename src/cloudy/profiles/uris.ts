// The names of Cloudy's profiles: one prefix, chosen once.

const PREFIX = 'urn:cloudy:beep:profiles:'

/** Signed objects, given and kept. */
export const OBJECTS = `${PREFIX}objects`
/** Files: a signed manifest, then the octets. */
export const FILES = `${PREFIX}files`
