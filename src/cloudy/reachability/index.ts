// How others get to us, and we to them: the router's port, and what is wrong when there is none.
export { examine, type Facts, type Finding, isHealthy } from './checkup.js'
export { checkMulticast, type MulticastReport } from './multicast.js'
export {
  type Attempt,
  type Gateway,
  type Mapping,
  PortMapper,
  type PortMapperOptions,
  type Problem,
  type Reachability,
} from './port-mapper.js'
