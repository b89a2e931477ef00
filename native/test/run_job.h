// Runs a program as a team's job that can be waited for.
#pragma once

#include "../program/run.h"
#include "../program/threads.h"

struct RunJob final : cellserve::Job {
  RunJob(cellserve::Run& run, size_t members) : Job(members), run(run) {}
  void work(size_t member) override { run.work(member, team); }
  void done() override { finished.advance(); }
  cellserve::Run& run;
  cellserve::Turnstile finished;
};
