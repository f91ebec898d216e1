//! `operator completions` and `operator man`: the command line, for shells and for man(1).

use std::io::Write;

use clap::Args;
use clap_complete::Shell;
use clap_mangen::Man;

use crate::{context::Context, error::Error, exit::Exit, output};

/// Print the completions of a shell
///
/// For one session: `source <(operator completions bash)`. For all: into the folder that the shell reads, such as
/// `/etc/bash_completion.d/operator`, `/usr/share/zsh/site-functions/_operator`, or `~/.config/fish/completions/operator.fish`.
#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

impl Completions {
    pub(super) fn run(self, context: &Context) -> Exit {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut (context.command_line)(), "operator", &mut script);
        output::print(String::from_utf8_lossy(&script).trim_end());
        Exit::Success
    }
}

/// Print the manual, for man(1)
///
/// `operator manual | man -l -`, or into /usr/local/share/man/man1/operator.1. With a command, that command's page.
#[derive(Debug, Args)]
pub(crate) struct Manual {
    /// The command, such as `pull` or `dead-letters list`
    #[arg(value_name = "COMMAND")]
    command: Vec<String>,
}

impl Manual {
    pub(super) fn run(self, context: &Context) -> Result<Exit, Error> {
        let mut page = (context.command_line)();
        page.build();
        for name in &self.command {
            let found = page.find_subcommand(name).cloned();
            page = found.ok_or_else(|| Error::Usage(format!("there is no command {name:?}")))?;
        }
        let mut roff = Vec::new();
        // Into memory, which takes everything.
        Man::new(page).render(&mut roff).and_then(|()| roff.flush()).map_err(Error::Runtime)?;
        output::print(String::from_utf8_lossy(&roff).trim_end());
        Ok(Exit::Success)
    }
}
