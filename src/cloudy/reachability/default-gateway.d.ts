// The package default-gateway brings no types; this is the part that we use.
declare module 'default-gateway' {
  /** @throws Error when there is none, or the system's program for it does not work */
  export function gateway4sync(): { gateway: string; int: string | null }
}
