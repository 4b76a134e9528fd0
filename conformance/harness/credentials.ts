// The key and the certificate with which the judge speaks TLS. They are a test key: it is published here, it is nobody's, and it proves nothing.
// An initiator under test has to accept the certificate, which is for localhost and signed by itself (P-256, valid from 2020 to 2120).

export const CREDENTIALS = {
  key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgkwh3NGvBSw2cK6Zs
/scAgEPpjKu0HVYp3og7q3m3TZqhRANCAASQqGJJhgN02nXXn+BLVP7K1Uf4iTmi
CHmSgYbAn0ie+6Y370xVo3tQ8X9VTZmkKNbwus/s4sdF7uHhaNjmbwoG
-----END PRIVATE KEY-----`,
  cert: `-----BEGIN CERTIFICATE-----
MIIBbTCCAROgAwIBAgIBATAKBggqhkjOPQQDAjAXMRUwEwYDVQQDDAxiZWVwIGNv
bmZvcm0wIBcNMjAwMTAxMDAwMDAwWhgPMjEyMDAxMDEwMDAwMDBaMBcxFTATBgNV
BAMMDGJlZXAgY29uZm9ybTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABJCoYkmG
A3Taddef4EtU/srVR/iJOaIIeZKBhsCfSJ77pjfvTFWje1Dxf1VNmaQo1vC6z+zi
x0Xu4eFo2OZvCgajTjBMMBoGA1UdEQQTMBGCCWxvY2FsaG9zdIcEfwAAATAPBgNV
HRMBAf8EBTADAQH/MB0GA1UdDgQWBBSKJ19mvCl2bP1RWwUMfz3wasJL/jAKBggq
hkjOPQQDAgNIADBFAiBwC6JGvQ7ncaVILAxRTZMX5yN2KDzLSeoi/d3/QCxy+gIh
AIoBfevl5pe9gj/sKYK+KLJWiFuSl27eEixp+aaVi65m
-----END CERTIFICATE-----`,
}
