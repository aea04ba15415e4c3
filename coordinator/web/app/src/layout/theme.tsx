import { Monitor, Moon, Sun } from 'lucide-react';
import { useEffect } from 'react';
import { useStored } from '../lib/stored';

const next = { system: 'light', light: 'dark', dark: 'system' } as const;
const icons = { system: Monitor, light: Sun, dark: Moon };

/** Light, dark, or as the system has it; public/theme.js sets it before the first paint. */
export function ThemeButton() {
  const [stored, setStored] = useStored('theme');
  const theme = stored === 'light' || stored === 'dark' ? stored : 'system';
  useEffect(() => {
    if (theme === 'system') delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
  }, [theme]);
  const Icon = icons[theme];
  return (
    <button
      type="button"
      className="button icon"
      aria-label={`Theme: ${theme}. Change to ${next[theme]}`}
      onClick={() => {
        setStored(next[theme] === 'system' ? null : next[theme]);
      }}
    >
      <Icon size={18} aria-hidden="true" />
    </button>
  );
}
