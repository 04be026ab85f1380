// One function of the API on its own: what it does not use must stay away.
export default { logLevel: 'warn', build: { outDir: 'shaken', rolldownOptions: { input: 'shaken.html' } } };
