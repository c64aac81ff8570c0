// Shows /openapi.json as a list of endpoints. No library: it must work where nothing but this server can be reached.
const element = (name, text, className) => {
  const node = document.createElement(name);
  if (text !== undefined) node.textContent = text;
  if (className) node.className = className;
  return node;
};

// The examples of a body: its own, or one of each problem that it may be.
function examples(body, problems) {
  const [content] = Object.values(body?.content ?? {});
  const all = content?.example !== undefined
    ? [content.example]
    : Object.keys(content?.examples ?? {}).map(name => problems[name].value);
  return all.map(one => element('pre', typeof one === 'string' ? one : JSON.stringify(one, null, 2)));
}

function endpoint(path, method, operation, problems) {
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
    row.append(element('td', parameter.name), element('td', parameter.in), element('td', parameter.description ?? ''),
      element('td', String(parameter.example ?? '')));
    table.append(row);
  }
  if (table.children.length) body.append(element('h4', 'Parameters'), table);
  if (operation.requestBody) body.append(element('h4', 'Body'), ...examples(operation.requestBody, problems));
  for (const [status, response] of Object.entries(operation.responses ?? {})) {
    body.append(element('h4', `${status} ${response.description ?? ''}`));
    body.append(...examples(response, problems));
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
    groups.get(tag).push(endpoint(path, method, operation, api.components?.examples ?? {}));
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
