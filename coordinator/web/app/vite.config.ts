import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

// The coordinator embeds ../dist. While developing, `npm run dev` passes API calls to a
// running coordinator, OPENLEDGER_API or a devnet's default address.
const api = process.env.OPENLEDGER_API ?? 'http://127.0.0.1:8420';

export default defineConfig({
  plugins: [react()],
  build: {
    outDir: '../dist',
    emptyOutDir: true,
    // The policy allows no data: scripts or styles, so nothing is inlined.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: 'es2022',
  },
  server: { proxy: { '/api': api, '/v1': api } },
});
