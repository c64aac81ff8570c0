// Shows /openapi.json as a list of endpoints. No library: it must work where nothing but this server can be reached.
const element = (name, text, className) => {
  const node = document.createElement(name);
  if (text !== undefined) node.textContent = text;
  if (className) node.className = className;
  return node;
};

function example(schema, components, depth = 0) {
  if (!schema || depth > 6) return null;
  if (schema.$ref) return example(components[schema.$ref.split('/').pop()], components, depth + 1);
  if (schema.example !== undefined) return schema.example;
  if (schema.oneOf) return example(schema.oneOf.find(one => one.type !== 'null') ?? schema.oneOf[0], components, depth + 1);
  if (schema.allOf) return Object.assign({}, ...schema.allOf.map(one => example(one, components, depth + 1)));
  if (schema.enum) return schema.enum[0];
  const type = Array.isArray(schema.type) ? schema.type[0] : schema.type;
  if (type === 'object' || schema.properties) {
    return Object.fromEntries(Object.entries(schema.properties ?? {})
      .map(([name, value]) => [name, example(value, components, depth + 1)]));
  }
  if (type === 'array') return [example(schema.items, components, depth + 1)];
  if (schema.format === 'date-time') return '2026-11-20T09:00:00Z';
  return { string: 'text', integer: 0, number: 0, boolean: false }[type] ?? null;
}

function content(title, body, components) {
  const schema = body?.content && Object.values(body.content)[0]?.schema;
  if (!schema) return [];
  return [element('h4', title), element('pre', JSON.stringify(example(schema, components), null, 2))];
}

function endpoint(path, method, operation, components) {
  const details = element('details', undefined, method);
  const summary = element('summary');
  const heading = operation.summary ?? operation.description ?? '';
  summary.append(element('span', method.toUpperCase(), 'method'), element('code', path), element('span', heading));
  const body = element('div', undefined, 'body');
  if (operation.description && operation.description !== heading) body.append(element('p', operation.description));
  if (operation.security?.length) body.append(element('p', 'Needs an access token: Authorization: Bearer …'));
  const table = element('table');
  for (const parameter of operation.parameters ?? []) {
    const row = element('tr');
    row.append(element('td', parameter.name), element('td', parameter.in), element('td', parameter.description ?? ''));
    table.append(row);
  }
  if (table.children.length) body.append(element('h4', 'Parameters'), table);
  body.append(...content('Body', operation.requestBody, components));
  for (const [status, response] of Object.entries(operation.responses ?? {})) {
    body.append(element('h4', `${status} ${response.description ?? ''}`));
    body.append(...content('', response, components).slice(1));
  }
  details.append(summary, body);
  return details;
}

const api = await (await fetch('/openapi.json')).json();
document.getElementById('description').textContent = api.info.description ?? '';
const groups = new Map();
for (const [path, methods] of Object.entries(api.paths)) {
  for (const [method, operation] of Object.entries(methods)) {
    const tag = operation.tags?.[0] ?? 'other';
    if (!groups.has(tag)) groups.set(tag, []);
    groups.get(tag).push(endpoint(path, method, operation, api.components?.schemas ?? {}));
  }
}
const main = document.getElementById('endpoints');
for (const [tag, endpoints] of groups) {
  const section = element('section');
  section.append(element('h2', tag), ...endpoints);
  main.append(section);
}
document.getElementById('search').addEventListener('input', event => {
  const words = event.target.value.toLowerCase();
  for (const details of main.querySelectorAll('details')) {
    details.hidden = !details.textContent.toLowerCase().includes(words);
  }
});
