// The npm package oidc-provider on a free port of 127.0.0.1; prints its issuer.
// Run with the package's folder as the only argument.

import { createServer } from "node:http";
import { pathToFileURL } from "node:url";
import { join } from "node:path";

const [packages, redirect] = process.argv.slice(2);
const entry = pathToFileURL(join(packages, "oidc-provider", "lib", "index.js"));
const { Provider } = await import(entry);

const server = createServer();
await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
const issuer = `http://127.0.0.1:${server.address().port}`;

const client = {
  redirect_uris: [redirect],
  grant_types: ["authorization_code", "refresh_token"],
  response_types: ["code"],
};
const provider = new Provider(issuer, {
  clients: [
    { ...client, client_id: "public", token_endpoint_auth_method: "none" },
    {
      ...client,
      client_id: "confidential",
      client_secret: "s+e%c/r:e t",
      token_endpoint_auth_method: "client_secret_basic",
    },
  ],
  scopes: ["openid", "api", "offline_access"],
  features: { revocation: { enabled: true }, devInteractions: { enabled: true } },
  issueRefreshToken: async () => true,
  rotateRefreshToken: true,
  pkce: { required: () => true },
  cookies: { keys: ["for this test only"] },
});
server.on("request", provider.callback());
console.log(issuer);
