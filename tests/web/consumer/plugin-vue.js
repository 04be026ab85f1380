// In place of @vitejs/plugin-vue: Vue's own compiler with the options that the guide gives to the plugin.
import { compileScript, parse } from 'vue/compiler-sfc';

export default ({ template }) => ({
  name: 'vue',
  transform(code, id) {
    if (!id.endsWith('.vue')) return undefined;
    const { descriptor } = parse(code, { filename: id });
    return compileScript(descriptor, { id, inlineTemplate: true, templateOptions: template }).content;
  },
});
