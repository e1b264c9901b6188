// The default theme with the system's fonts: nothing is loaded from elsewhere, and no font at all.
import { useData } from "vitepress";
import DefaultTheme from "vitepress/theme-without-fonts";
import { h, watchPostEffect } from "vue";
import "./style.css";

export default {
  extends: DefaultTheme,
  Layout: {
    setup() {
      const { frontmatter } = useData();
      // The default theme gives its home page no main part, which screen readers jump to.
      watchPostEffect(() => {
        const isHome = frontmatter.value.layout === "home";
        const content = globalThis.document?.getElementById("VPContent");
        if (isHome) content?.setAttribute("role", "main");
        else content?.removeAttribute("role");
      });
      return () => h(DefaultTheme.Layout);
    },
  },
};
