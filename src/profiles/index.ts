// The profiles that come with the package.
export { ECHO, echo, echoAt } from './echo.js'
export { SINK, sink, sinkAt } from './sink.js'
export {
  peerCertificate,
  startTls,
  TLS,
  type TlsConnectOptions,
  type TlsListenOptions,
  type TlsOptions,
  tls,
  type Verify,
  whenTuned,
} from './tls.js'
