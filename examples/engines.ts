// The protocol without the network: two engines, and the octets carried by hand.
import { Engine, type Event } from 'cloudy-beep/engine'

export function greet(): string[] {
  const initiator = new Engine('initiator')
  const listener = new Engine('listener')
  initiator.greet({})
  listener.greet({ profiles: ['http://example.org/echo'] })
  for (const octets of listener.transmit()) initiator.receive(octets)
  for (const octets of initiator.transmit()) listener.receive(octets)
  const profiles: string[] = []
  for (let event: Event | undefined = initiator.nextEvent(); event !== undefined; event = initiator.nextEvent()) {
    if (event.type === 'greeting') profiles.push(...event.greeting.profiles)
  }
  return profiles
}
