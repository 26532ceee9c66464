from deploy.docker.cli import main

main()
