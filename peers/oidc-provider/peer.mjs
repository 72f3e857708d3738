// oidc-provider, a certified OpenID provider, as a test peer on loopback.
//
// What it adds to the other peer: `iss` in every authorization response and the metadata flag that demands it,
// strict loopback rules, `error` redirects with `iss`, the end of a whole family on reuse with no grace at all,
// and old access tokens that stay valid after a refresh.
//
// A client id may be the address of a metadata document (`document_client_id` is one). Nothing is fetched from the
// web: the document is served from here.
//
// One person is always signed in and agrees to everything: a plain HTTP client that keeps cookies and follows
// redirects arrives at the redirect address. Only a request with `login_hint=deny` is refused (`access_denied`).
//
// When ready it prints one line of JSON. It ends when its standard input ends.

import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { parseArgs } from 'node:util';

import Provider, { interactionPolicy } from 'oidc-provider';

const { values: options } = parseArgs({
  options: {
    port: { type: 'string', default: '0' },
    'redirect-uri': { type: 'string', default: 'http://127.0.0.1/callback' },
  },
});

const subject = 'ada';
const scopes = [
  'openid', 'profile', 'email', 'offline_access', 'organization:read', 'project:read', 'query:read',
  'event_definition:read', 'annotation:read', 'annotation:write',
];
const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const counters = {};

const client = (clientId) => ({
  client_id: clientId,
  application_type: 'native',
  token_endpoint_auth_method: 'none',
  redirect_uris: [options['redirect-uri']],
  grant_types: ['authorization_code', 'refresh_token'],
  response_types: ['code'],
  id_token_signed_response_alg: 'RS256',
});

// Where the metadata document of a client would be on the web.
const documentClientId = 'https://client.example/pockethog.json';
const documents = new Map([[documentClientId, {
  ...client(documentClientId),
  client_name: 'PocketHog',
}]]);

async function fetchDocument(url) {
  const document = documents.get(String(url));
  if (!document) throw new Error(`nothing but loopback is asked: ${url}`);
  counters[String(url)] = (counters[String(url)] ?? 0) + 1;
  return new Response(JSON.stringify(document), {
    headers: { 'Content-Type': 'application/json', 'Cache-Control': 'max-age=3600' },
  });
}

// The port is taken before the issuer is built from it.
const server = createServer();
await new Promise((resolve) => server.listen({ host: '127.0.0.1', port: Number(options.port) }, resolve));
const issuer = `http://127.0.0.1:${server.address().port}`;

const provider = new Provider(issuer, {
  clients: [client('rotating'), client('other')],
  jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), kid: 'peer', use: 'sig', alg: 'RS256' }] },
  cookies: { keys: [randomBytes(24).toString('hex')] },
  scopes,
  claims: { profile: ['given_name', 'family_name'], email: ['email', 'email_verified'] },
  conformIdTokenClaims: false,
  pkce: { required: () => true },
  fetch: fetchDocument,
  features: {
    clientIdMetadataDocument: { enabled: true, ack: 'draft-02' },
    devInteractions: { enabled: false },
    introspection: { enabled: true },
    revocation: { enabled: true },
    registration: { enabled: true },
    rpInitiatedLogout: { enabled: false },
  },
  interactions: {
    policy: interactionPolicy.base(),
    url: (_context, interaction) => `/interaction/${interaction.uid}`,
  },
  // PostHog gives a refresh token to every client, without the scope `offline_access`.
  issueRefreshToken: async () => true,
  rotateRefreshToken: () => true,
  ttl: { AccessToken: 3600, AuthorizationCode: 300, IdToken: 36000, RefreshToken: 30 * 86400, Grant: 30 * 86400, Session: 86400, Interaction: 3600 },
  findAccount: async (_context, id) => ({
    accountId: id,
    claims: async () => ({
      sub: id, given_name: 'Ada', family_name: 'Lovelace', email: 'ada@example.com', email_verified: true,
    }),
  }),
});

async function agree(request, response) {
  const interaction = await provider.interactionDetails(request, response);
  const { params, prompt, session } = interaction;
  if (params.login_hint === 'deny') {
    const refusal = { error: 'access_denied', error_description: 'The person said no.' };
    return provider.interactionFinished(request, response, refusal, { mergeWithLastSubmission: false });
  }
  if (prompt.name === 'login') {
    return provider.interactionFinished(request, response, { login: { accountId: subject } });
  }
  const grant = interaction.grantId
    ? await provider.Grant.find(interaction.grantId)
    : new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
  if (params.scope) grant.addOIDCScope(params.scope);
  const consent = { grantId: await grant.save() };
  return provider.interactionFinished(request, response, { consent }, { mergeWithLastSubmission: true });
}

const protectedResource = async (request, response) => {
  const bearer = /^Bearer (.+)$/i.exec(request.headers.authorization ?? '')?.[1];
  const token = bearer && await provider.AccessToken.find(bearer);
  response.setHeader('Content-Type', 'application/json');
  if (token) {
    response.end(JSON.stringify({ uuid: token.accountId, scope: token.scope }));
  } else {
    response.writeHead(401, { 'WWW-Authenticate': 'Bearer error="invalid_token"' });
    response.end(JSON.stringify({
      type: 'authentication_error', code: 'authentication_failed', detail: 'Invalid access token.', attr: null,
    }));
  }
};

const oauth = provider.callback();
server.on('request', async (request, response) => {
  const path = new URL(request.url, issuer).pathname;
  counters[path] = (counters[path] ?? 0) + 1;
  try {
    if (path === '/_peer/counters') {
      response.setHeader('Content-Type', 'application/json');
      response.end(JSON.stringify(counters));
    } else if (path.startsWith('/interaction/')) {
      await agree(request, response);
    } else if (/^\/api\/users\/@me\/?$/.test(path)) {
      await protectedResource(request, response);
    } else {
      // Where RFC 8414 puts the same document.
      if (path === '/.well-known/oauth-authorization-server') request.url = '/.well-known/openid-configuration';
      await oauth(request, response);
    }
  } catch (error) {
    console.error(error);
    response.statusCode = 500;
    response.end();
  }
});

provider.on('server_error', (_context, error) => console.error(error));
process.stdin.on('end', () => process.exit(0)).resume();
process.stdout.write(`${JSON.stringify({ issuer, client_id: 'rotating', other_client_id: 'other', document_client_id: documentClientId, subject })}\n`);
